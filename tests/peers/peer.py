"""OpenSSL 4 through pyOpenSSL, with the options and the output of peer.go."""

import argparse
import os
import select
import socket
import sys

try:
    from OpenSSL import SSL
except ImportError as error:
    sys.exit(f"{error}, and this test needs it: pip install pyopenssl")
if SSL.OPENSSL_VERSION_NUMBER < 0x40000000:
    sys.exit(f"{SSL.SSLeay_version(0).decode()} is too old: pip install --upgrade pyopenssl cryptography")

# pyOpenSSL has no names for these two, but cryptography, which contains OpenSSL, has.
set_groups = SSL._lib.SSL_CTX_set1_curves_list
is_resumed = SSL._lib.SSL_session_reused

options = argparse.ArgumentParser()
options.add_argument("--connect", help="be a client of this address; without it, be a server")
options.add_argument("--ca", help="the root that the other side must have")
options.add_argument("--cert", help="own chain")
options.add_argument("--key", help="own key")
options.add_argument("--alpn", help="protocols, with commas")
options.add_argument("--auth", default="none", choices=["none", "optional", "required"], help="whether a client shows a certificate")
options.add_argument("--groups", help="the groups, with commas")
options.add_argument("--count", type=int, default=1, help="how many connections")
options = options.parse_args()

NAME = "localhost"
GROUPS = {"x25519": "X25519", "secp256r1": "P-256"}


def say(line):
    print(line, file=sys.stderr, flush=True)


def select_protocol(_, offered):
    common = [protocol for protocol in options.alpn.encode().split(b",") if protocol in offered]
    return common[0] if common else SSL.NO_OVERLAPPING_PROTOCOLS


def context():
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    if options.ca:
        context.load_verify_locations(options.ca)
    if options.cert:
        context.use_certificate_chain_file(options.cert)
        context.use_privatekey_file(options.key)
    if options.groups and set_groups(context._context, options.groups.replace(",", ":").encode()) != 1:
        sys.exit("failed: no such groups")
    if options.connect:
        context.set_verify(SSL.VERIFY_PEER)
        if options.alpn:
            context.set_alpn_protos(options.alpn.encode().split(b","))
    else:
        required = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if options.auth == "required" else 0
        context.set_verify(SSL.VERIFY_NONE if options.auth == "none" else SSL.VERIFY_PEER | required)
        context.set_session_id(b"peer.py")
        if options.alpn:
            context.set_alpn_select_callback(select_protocol)
    return context


def main():
    tls = context()
    session = None
    if not options.connect:
        listener = socket.create_server(("127.0.0.1", 0))
        say(f"port: {listener.getsockname()[1]}")
    for number in range(1, options.count + 1):
        if options.connect:
            host, port = options.connect.split(":")
            tcp = socket.create_connection((host, int(port)))
            conn = SSL.Connection(tls, tcp)
            conn.set_tlsext_host_name(NAME.encode())
            conn.set_verify(SSL.VERIFY_PEER)
            # OpenSSL checks the name.
            parameters = SSL._lib.SSL_get0_param(conn._ssl)
            SSL._lib.X509_VERIFY_PARAM_set1_host(parameters, NAME.encode(), len(NAME))
            if session:
                conn.set_session(session)
            conn.set_connect_state()
        else:
            tcp, _ = listener.accept()
            conn = SSL.Connection(tls, tcp)
            conn.set_accept_state()
        converse(number, tcp, conn)
        session = conn.get_session()


def converse(number, tcp, conn):
    conn.do_handshake()

    peer = conn.get_peer_certificate(as_cryptography=True)
    facts = {
        "suite": conn.get_cipher_name(),
        "group": GROUPS.get(conn.get_group_name(), conn.get_group_name()),
        "alpn": conn.get_alpn_proto_negotiated().decode(),
        "peer": peer.subject.rfc4514_string().removeprefix("CN=") if peer else "nobody",
        "sni": (conn.get_servername() or b"").decode(),
        "exported": conn.export_keying_material(b"EXPORTER-test", 32).hex(),
        "resumed": "true" if is_resumed(conn._ssl) else "false",
    }
    for name, value in facts.items():
        say(f"{number}. {name}: {value}")

    tcp.setblocking(False)
    typing = options.count == 1
    to_send = b"" if typing else b"connection %d\n" % number
    stdin, stdout = sys.stdin.fileno(), sys.stdout.fileno()
    while True:
        readable, _, _ = select.select([tcp] + [stdin] * (typing and not to_send), [tcp] * bool(to_send), [])
        if stdin in readable:
            to_send = os.read(stdin, 65536)
            if not to_send:
                typing = False
                conn.shutdown()
        try:
            if to_send:
                to_send = to_send[conn.send(to_send):]
        except (SSL.WantReadError, SSL.WantWriteError):
            pass
        try:
            while True:
                write_all(stdout, conn.recv(65536))
        except (SSL.WantReadError, SSL.WantWriteError):
            pass
        except SSL.ZeroReturnError:
            break
    say(f"{number}. closed")
    conn.shutdown()
    tcp.close()


def write_all(file, data):
    while data:
        data = data[os.write(file, data):]


try:
    main()
except (SSL.Error, OSError) as error:
    say(f"failed: {error!r}")
    sys.exit(1)
