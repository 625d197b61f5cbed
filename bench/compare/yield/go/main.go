// SPDX-License-Identifier: BSL-1.0

// yield: TASKS goroutines, each yielding YIELDS times.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "YIELDS")
	var total atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for i := int64(0); i < size[0]; i++ {
		group.Add(1)
		go func() {
			done := int64(0)
			for ; done < size[1]; done++ {
				runtime.Gosched()
			}
			total.Add(done)
			group.Done()
		}()
	}
	group.Wait()
	bench.Metric("yield", bench.Since(start)/float64(size[0]*size[1]), "ns")
	bench.Answer(total.Load())
}
