// SPDX-License-Identifier: BSL-1.0

// sleepers: TASKS goroutines, each sleeping MS milliseconds once.
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "MS")
	var woken atomic.Int64
	var group sync.WaitGroup
	cpu := bench.CPUSeconds()
	start := time.Now()
	for i := int64(0); i < size[0]; i++ {
		group.Add(1)
		go func() {
			time.Sleep(time.Duration(size[1]) * time.Millisecond)
			woken.Add(1)
			group.Done()
		}()
	}
	group.Wait()
	bench.Metric("wall", bench.Since(start)*1e-6, "ms")
	bench.Metric("cpu", bench.CPUSeconds()-cpu, "s")
	bench.Answer(woken.Load())
}
