// SPDX-License-Identifier: BSL-1.0
// http: a virtual thread per connection that reads and writes the socket itself.
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

final class Main {
  static final byte[] RESPONSE =
      ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, World!\n")
          .getBytes(StandardCharsets.US_ASCII);
  static final byte[] END = {'\r', '\n', '\r', '\n'};

  static void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      InputStream in = socket.getInputStream();
      OutputStream out = socket.getOutputStream();
      byte[] buffer = new byte[4096];
      int matched = 0;  // how much of the blank line was seen, across reads
      for (int n; (n = in.read(buffer)) > 0; ) {
        for (int i = 0; i < n; ++i) {
          matched = buffer[i] == END[matched] ? matched + 1 : buffer[i] == '\r' ? 1 : 0;
          if (matched == END.length) {
            matched = 0;
            out.write(RESPONSE);
          }
        }
      }
    } catch (IOException gone) {
      return;  // the client is gone; so is this connection
    }
  }

  public static void main(String[] arguments) throws Exception {
    Bench.parse(arguments);
    Bench.serve(Main::serve);
  }
}
