// SPDX-License-Identifier: BSL-1.0

// sleep20: TASKS goroutines, each sleeping SLEEPS times for 1 to 50 ms; CPU time, and how late they
// woke.
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "SLEEPS")
	late := make([]float64, size[0]*size[1])
	var total atomic.Int64
	var group sync.WaitGroup
	cpu := bench.CPUSeconds()
	start := time.Now()
	for t := int64(0); t < size[0]; t++ {
		group.Add(1)
		go func(t int64) {
			sleeps := bench.Sleeps(t)
			asked := int64(0)
			for i := int64(0); i < size[1]; i++ {
				ms := sleeps.NextMs()
				asked += ms
				until := time.Now().Add(time.Duration(ms) * time.Millisecond)
				time.Sleep(time.Until(until))
				late[t*size[1]+i] = float64(time.Since(until).Nanoseconds()) * 1e-6
			}
			total.Add(asked)
			group.Done()
		}(t)
	}
	group.Wait()
	bench.Metric("wall", bench.Since(start)*1e-6, "ms")
	bench.Metric("cpu", bench.CPUSeconds()-cpu, "s")
	bench.Metric("late_p50", bench.Percentile(late, 0.50), "ms")
	bench.Metric("late_p99", bench.Percentile(late, 0.99), "ms")
	bench.Answer(total.Load())
}
