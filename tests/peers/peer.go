// A TLS 1.3 peer: it sends its standard input and prints what it receives, as a client or as a server for one connection.
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
	auth    = flag.Int("auth", 0, "tls.ClientAuthType")
	group   = flag.Int("group", 0, "the only group")
	old     = flag.Bool("old", false, "TLS 1.2")
)

// Says something about the connection, apart from what it carries.
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
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "localhost", ClientAuth: tls.ClientAuthType(*auth)}
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
	if *group != 0 {
		config.CurvePreferences = []tls.CurveID{tls.CurveID(*group)}
	}

	var conn *tls.Conn
	if *connect != "" {
		conn = tls.Client(must(net.Dial("tcp", *connect)), config)
	} else {
		listener := must(net.Listen("tcp", "127.0.0.1:0"))
		say("port: %d", listener.Addr().(*net.TCPAddr).Port)
		conn = tls.Server(must(listener.Accept()), config)
	}
	must(0, conn.Handshake())

	state := conn.ConnectionState()
	exported := must(state.ExportKeyingMaterial("EXPORTER-test", nil, 32))
	peer := "nobody"
	if len(state.PeerCertificates) > 0 {
		peer = state.PeerCertificates[0].Subject.CommonName
	}
	say("suite: %s\ngroup: %s\nalpn: %s\npeer: %s", tls.CipherSuiteName(state.CipherSuite), state.CurveID, state.NegotiatedProtocol, peer)
	say("sni: %s\nexported: %x", state.ServerName, exported)

	go func() {
		io.Copy(conn, os.Stdin)
		conn.CloseWrite()
	}()
	must(io.Copy(os.Stdout, conn))
	say("closed")
	conn.Close()
}
