// SPDX-License-Identifier: BSL-1.0

// fib: one goroutine per call, the sibling computed in place.
package main

import (
	"sync"
	"time"

	"weftcompare/common/bench"
)

func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	var a int64
	var child sync.WaitGroup
	child.Add(1)
	go func() {
		a = fib(n - 1)
		child.Done()
	}()
	b := fib(n - 2)
	child.Wait()
	return a + b
}

func spawns(n int64) int64 { // fib(n + 1) - 1
	a, b := int64(0), int64(1)
	for ; n > 0; n-- {
		a, b = b, a+b
	}
	return b - 1
}

func main() {
	size := bench.Parse("N")
	fib(size[0] - 4) // warm-up
	start := time.Now()
	answer := fib(size[0])
	ns := bench.Since(start)
	bench.Metric("spawn", ns/float64(spawns(size[0])), "ns")
	bench.Metric("total", ns*1e-6, "ms")
	bench.Answer(answer)
}
