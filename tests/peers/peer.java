import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * One connection, over which much data goes each way, several times. Options, each with a value:
 *
 * <pre>
 * connect  the address to connect to as a client; without it, be a server and say its port
 * ca       the root that a server's certificate must lead to
 * cert     a server's chain
 * key      a server's key
 * size     how many bytes are written at once, in a record
 * length   how many bytes go each way in a round
 * rounds   how often
 * at-once  true if the bytes of a round go both ways at the same time
 * </pre>
 */
class Peer {
    static final Map<String, String> options = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            options.put(arguments[at].substring(2), arguments[at + 1]);
        }
        try (SSLSocket socket = connect()) {
            socket.startHandshake();
            say("suite: " + socket.getSession().getCipherSuite());
            converse(socket);
            // close_notify, and then the other side's.
            socket.shutdownOutput();
            if (socket.getInputStream().read() != -1) {
                throw new Exception("data instead of close_notify");
            }
        }
        say("closed");
    }

    static void say(String line) {
        System.err.println(line);
    }

    static SSLSocket connect() throws Exception {
        SSLContext context = context();
        String address = options.get("connect");
        if (address == null) {
            var factory = context.getServerSocketFactory();
            InetAddress here = InetAddress.getLoopbackAddress();
            try (var listener = (SSLServerSocket) factory.createServerSocket(0, 1, here)) {
                listener.setEnabledProtocols(new String[] {"TLSv1.3"});
                say("port: " + listener.getLocalPort());
                return (SSLSocket) listener.accept();
            }
        }
        String[] parts = address.split(":");
        int port = Integer.parseInt(parts[1]);
        Socket tcp = new Socket(parts[0], port);
        var socket = (SSLSocket) context.getSocketFactory().createSocket(tcp, "localhost", port, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setProtocols(new String[] {"TLSv1.3"});
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        return socket;
    }

    static SSLContext context() throws Exception {
        var context = SSLContext.getInstance("TLS");
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("root", certificates(options.get("ca"))[0]);
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        var own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        if (options.containsKey("cert")) {
            String pem = Files.readString(Path.of(options.get("key")));
            byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]*-----", ""));
            var key = KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(der));
            own.setKeyEntry("own", key, new char[0], certificates(options.get("cert")));
        }
        var keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, new char[0]);
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    static Certificate[] certificates(String path) throws Exception {
        byte[] pem = Files.readAllBytes(Path.of(path));
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(pem))
                .toArray(new Certificate[0]);
    }

    /** Reads all of a round and then writes as much, or does both at once. */
    static void converse(SSLSocket socket) throws Exception {
        int length = Integer.parseInt(options.get("length"));
        boolean atOnce = options.get("at-once").equals("true");
        for (int round = 1; round <= Integer.parseInt(options.get("rounds")); round++) {
            Exception[] failed = new Exception[1];
            Thread writing = new Thread(() -> {
                try {
                    write(socket.getOutputStream(), length);
                } catch (Exception exception) {
                    failed[0] = exception;
                }
            });
            if (atOnce) {
                writing.start();
            }
            say(round + ". read: " + read(socket.getInputStream(), length));
            if (!atOnce) {
                writing.start();
            }
            writing.join();
            if (failed[0] != null) {
                throw failed[0];
            }
        }
    }

    /** Returns the hash of the bytes. */
    static String read(InputStream input, int length) throws Exception {
        var hash = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[16384];
        while (length > 0) {
            int count = input.read(buffer, 0, Math.min(length, buffer.length));
            if (count < 0) {
                throw new Exception(length + " bytes are missing");
            }
            hash.update(buffer, 0, count);
            length -= count;
        }
        return HexFormat.of().formatHex(hash.digest());
    }

    /** Writes lines of 32 bytes, each with its number. */
    static void write(OutputStream output, int length) throws Exception {
        var text = new StringBuilder();
        for (int number = 0; text.length() < length; number++) {
            text.append(String.format("%08d from a JDK ...............\n", number));
        }
        byte[] bytes = text.toString().getBytes(StandardCharsets.US_ASCII);
        int size = Integer.parseInt(options.get("size"));
        for (int at = 0; at < length; at += size) {
            output.write(bytes, at, Math.min(size, length - at));
        }
    }
}
