// SPDX-License-Identifier: BSL-1.0

// mutex: TASKS goroutines (one of them: the uncontended case), each locking one mutex OPS times.
package main

import (
	"sync"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "OPS")
	var mutex sync.Mutex
	counter := int64(0)
	var group sync.WaitGroup
	start := time.Now()
	for t := int64(0); t < size[0]; t++ {
		group.Add(1)
		go func() {
			for i := int64(0); i < size[1]; i++ {
				mutex.Lock()
				counter++
				mutex.Unlock()
			}
			group.Done()
		}()
	}
	group.Wait()
	bench.Metric("lock", bench.Since(start)/float64(size[0]*size[1]), "ns")
	bench.Answer(counter)
}
