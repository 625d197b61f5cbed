// SPDX-License-Identifier: BSL-1.0
// mixed: CLIENTS connections with ROUNDS round trips each, beside JOBS virtual threads that count
// the primes below LIMIT.
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;

final class Main {
  static long total = 0;  // guarded by Main.class
  static DoubleStream.Builder roundTrips = DoubleStream.builder();  // guarded by Main.class

  static synchronized void add(long sum, double[] some) {
    total += sum;
    for (double one : some) roundTrips.add(one);
  }

  static long primesBelow(long limit) {
    long count = 0;
    for (long n = 2; n < limit; ++n) {
      long divisor = 2;
      while (divisor * divisor <= n && n % divisor != 0) ++divisor;
      if (divisor * divisor > n) ++count;
    }
    return count;
  }

  static void serve(Socket socket, long rounds) throws Exception {
    try (socket) {
      socket.setTcpNoDelay(true);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      for (long i = 0; i < rounds; ++i) out.writeLong(in.readLong() + 1);
    }
  }

  static void ask(int port, long rounds) throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setTcpNoDelay(true);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      long sum = 0;
      double[] some = new double[(int) rounds];
      for (int i = 0; i < rounds; ++i) {
        long start = System.nanoTime();
        out.writeLong(i);
        sum += in.readLong();
        some[i] = Bench.since(start) * 1e-3;
      }
      add(sum, some);
    }
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "CLIENTS", "ROUNDS", "JOBS", "LIMIT");
    Bench.run(() -> {
      try (ServerSocket listener = new ServerSocket(0, 1024, InetAddress.getLoopbackAddress())) {
        int port = listener.getLocalPort();
        long start = System.nanoTime();
        List<Thread> threads = new ArrayList<>();
        for (long i = 0; i < size[0]; ++i) threads.add(Bench.spawn(() -> ask(port, size[1])));
        for (long i = 0; i < size[2]; ++i) {
          threads.add(Bench.spawn(() -> add(primesBelow(size[3]), new double[0])));
        }
        for (long i = 0; i < size[0]; ++i) {
          Socket socket = listener.accept();
          threads.add(Bench.spawn(() -> serve(socket, size[1])));
        }
        for (Thread thread : threads) thread.join();
        Bench.metric("wall", Bench.since(start) * 1e-6, "ms");
        double[] sorted = roundTrips.build().toArray();
        Bench.metric("round_trip_p50", Bench.percentile(sorted, 0.50), "us");
        Bench.metric("round_trip_p99", Bench.percentile(sorted, 0.99), "us");
      }
    });
    Bench.answer(total);
  }
}
