// Without a module, a program is built with the settings of old versions of Go, without ML-KEM.
//go:debug default=go1.26

// A TLS 1.3 peer, client or server: it sends its standard input and prints what it receives. It
// prints what it knows about connection N on standard error, in lines that begin with "N. ". With
// --count it makes several connections in sequence, and resumes sessions if it can. It then sends
// "connection N" and does not read its input.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

var (
	connect = flag.String("connect", "", "be a client of this address; without it, be a server")
	ca      = flag.String("ca", "", "the root that the other side must have")
	cert    = flag.String("cert", "", "own chain")
	key     = flag.String("key", "", "own key")
	alpn    = flag.String("alpn", "", "protocols, with commas")
	auth    = flag.String("auth", "none", "whether a client shows a certificate: none, optional, required")
	groups  = flag.String("groups", "", "the groups, with commas")
	old     = flag.Bool("old", false, "TLS 1.2")
	count   = flag.Int("count", 1, "how many connections")
)

var auths = map[string]tls.ClientAuthType{
	"none": tls.NoClientCert, "optional": tls.VerifyClientCertIfGiven, "required": tls.RequireAndVerifyClientCert,
}

var curves = map[string]tls.CurveID{
	"X25519MLKEM768": tls.X25519MLKEM768, "X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384,
}

// Prints something about the connections, separate from their data.
func say(format string, values ...any) { fmt.Fprintf(os.Stderr, format+"\n", values...) }

func must[T any](value T, err error) T {
	if err != nil {
		say("failed: %v", err)
		os.Exit(1)
	}
	return value
}

func main() {
	flag.Parse()
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "localhost", ClientAuth: auths[*auth]}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	if *old {
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	if *ca != "" {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(must(os.ReadFile(*ca)))
		config.RootCAs, config.ClientCAs = roots, roots
	}
	if *cert != "" {
		config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(*cert, *key))}
	}
	if *alpn != "" {
		config.NextProtos = strings.Split(*alpn, ",")
	}
	if *groups != "" {
		for _, name := range strings.Split(*groups, ",") {
			config.CurvePreferences = append(config.CurvePreferences, curves[name])
		}
	}

	var listener net.Listener
	if *connect == "" {
		listener = must(net.Listen("tcp", "127.0.0.1:0"))
		say("port: %d", listener.Addr().(*net.TCPAddr).Port)
	}
	for number := 1; number <= *count; number++ {
		var conn *tls.Conn
		if listener != nil {
			conn = tls.Server(must(listener.Accept()), config)
		} else {
			conn = tls.Client(must(net.Dial("tcp", *connect)), config)
		}
		converse(number, conn)
	}
}

func converse(number int, conn *tls.Conn) {
	must(0, conn.Handshake())

	state := conn.ConnectionState()
	exported := must(state.ExportKeyingMaterial("EXPORTER-test", nil, 32))
	group, peer := state.CurveID.String(), "nobody"
	if state.CurveID == tls.CurveP256 {
		group = "P-256"
	}
	if len(state.PeerCertificates) > 0 {
		peer = state.PeerCertificates[0].Subject.CommonName
	}
	for _, fact := range []struct {
		name  string
		value any
	}{
		{"suite", tls.CipherSuiteName(state.CipherSuite)},
		{"group", group},
		{"alpn", state.NegotiatedProtocol},
		{"peer", peer},
		{"sni", state.ServerName},
		{"exported", fmt.Sprintf("%x", exported)},
		{"resumed", state.DidResume},
		{"retried", state.HelloRetryRequest},
	} {
		say("%d. %s: %v", number, fact.name, fact.value)
	}

	if *count > 1 {
		must(fmt.Fprintf(conn, "connection %d\n", number))
	} else {
		go func() {
			io.Copy(conn, os.Stdin)
			conn.CloseWrite()
		}()
	}
	must(io.Copy(os.Stdout, conn))
	say("%d. closed", number)
	conn.Close()
}
