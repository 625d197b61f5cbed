// SPDX-License-Identifier: BSL-1.0
// echo: a virtual thread per connection that writes back what it reads.
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;

final class Main {
  static void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      InputStream in = socket.getInputStream();
      OutputStream out = socket.getOutputStream();
      byte[] buffer = new byte[512];
      for (int n; (n = in.read(buffer)) > 0; ) out.write(buffer, 0, n);
    } catch (IOException gone) {
      return;  // the client is gone; so is this connection
    }
  }

  public static void main(String[] arguments) throws Exception {
    Bench.parse(arguments);
    Bench.serve(Main::serve);
  }
}
