// SPDX-License-Identifier: BSL-1.0
// common/bench.hpp for Java: arguments, clock, and the lines tools/compare reads.
//
// The workers are what tools/compare passes as jdk.virtualThreadScheduler.parallelism; threads of
// the virtual machine (compiler, garbage collector) come on top.  A body is a virtual thread.
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

final class Bench {
  interface Body {
    void run() throws Exception;
  }

  static int workers;

  /** Reads WORKERS and the named sizes, and prints the version line. */
  static long[] parse(String[] given, String... names) {
    if (given.length != names.length + 1) {
      System.err.println("usage: java Main WORKERS " + String.join(" ", names));
      System.exit(2);
    }
    workers = (int) number(given[0], "WORKERS");
    long[] sizes = new long[names.length];
    for (int i = 0; i < names.length; ++i) sizes[i] = number(given[i + 1], names[i]);
    System.out.println("version=" + Runtime.version().feature());
    return sizes;
  }

  private static long number(String text, String what) {
    if (text.isEmpty() || text.length() > 18 || !text.chars().allMatch(Character::isDigit)) {
      System.err.println(what + " must be a non-negative integer, not \"" + text + "\"");
      System.exit(2);
    }
    return Long.parseLong(text);
  }

  /** Runs the body as a virtual thread and waits for it. */
  static void run(Body body) throws InterruptedException {
    Thread.ofVirtual().start(() -> orExit(body)).join();
  }

  static Thread spawn(Body body) {
    return Thread.startVirtualThread(() -> orExit(body));
  }

  /** Prints the port of a listener and serves each connection in a virtual thread. */
  static void serve(Consumer<Socket> connection) throws InterruptedException {
    run(() -> {
      ServerSocket listener = new ServerSocket(0, 4096, InetAddress.getLoopbackAddress());
      System.out.println("port=" + listener.getLocalPort());
      while (true) {
        Socket socket = listener.accept();
        spawn(() -> connection.accept(socket));
      }
    });
  }

  private static void orExit(Body body) {
    try {
      body.run();
    } catch (Throwable failure) {
      failure.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  static void metric(String name, double value, String unit) {
    System.out.println(name + "=" + value + " " + unit);
  }

  static void answer(long value) {
    System.out.println("answer=" + value);
  }

  static double since(long start) {
    return System.nanoTime() - start;
  }

  static double cpuSeconds() {
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() * 1e-9;
  }

  static double residentBytes() throws java.io.IOException {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096.0;
  }

  static double mappings() throws java.io.IOException {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.count();
    }
  }

  /** The value a share p of the samples does not exceed; sorts them; 0 when there are none. */
  static double percentile(double[] samples, double p) {
    if (samples.length == 0) return 0;
    Arrays.sort(samples);
    return samples[(int) Math.ceil(p * samples.length) - 1];
  }

  static void sleepUntil(long nanoTime) {
    for (long left; (left = nanoTime - System.nanoTime()) > 0; ) LockSupport.parkNanos(left);
  }
}
