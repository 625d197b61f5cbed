// SPDX-License-Identifier: BSL-1.0

// spawn_join: TASKS empty goroutines, then wait for all of them; Go's handle is the WaitGroup.
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "ROUNDS")
	var counter atomic.Int64
	round := func() float64 {
		start := time.Now()
		var group sync.WaitGroup
		for i := int64(0); i < size[0]; i++ {
			group.Add(1)
			go func() {
				counter.Add(1)
				group.Done()
			}()
		}
		group.Wait()
		return bench.Since(start) / float64(size[0])
	}
	round() // warm-up
	times := make([]float64, size[1])
	for i := range times {
		times[i] = round()
	}
	bench.Metric("spawn_join", bench.Percentile(times, 0.5), "ns")
	bench.Answer(counter.Load())
}
