// SPDX-License-Identifier: BSL-1.0

// memory: TASKS goroutines parked on one channel; what each keeps resident and what spawning it
// took.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS")
	var parked, released atomic.Int64
	var group sync.WaitGroup
	gate := make(chan struct{})
	before := bench.ResidentBytes()
	start := time.Now()
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
	tasks := float64(size[0])
	bench.Metric("spawn", bench.Since(start)/tasks, "ns")
	bench.Metric("resident", (bench.ResidentBytes()-before)/tasks, "B/task")
	bench.Metric("mappings", bench.Mappings(), "maps")
	close(gate)
	group.Wait()
	bench.Answer(released.Load())
}
