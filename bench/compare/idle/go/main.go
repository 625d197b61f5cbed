// SPDX-License-Identifier: BSL-1.0

// idle: the CPU time of MS milliseconds in which TASKS goroutines are parked and nothing happens.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "MS")
	var parked, released atomic.Int64
	var group sync.WaitGroup
	gate := make(chan struct{})
	for i := int64(0); i < size[0]; i++ {
		group.Add(1)
		go func() {
			parked.Add(1)
			<-gate
			released.Add(1)
			group.Done()
		}()
	}
	for parked.Load() < size[0] {
		runtime.Gosched()
	}
	time.Sleep(100 * time.Millisecond) // the tail of the spawning is not idleness
	cpu := bench.CPUSeconds()
	time.Sleep(time.Duration(size[1]) * time.Millisecond)
	bench.Metric("cpu", (bench.CPUSeconds()-cpu)*1e3, "ms")
	close(gate)
	group.Wait()
	bench.Answer(released.Load())
}
