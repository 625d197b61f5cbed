// SPDX-License-Identifier: BSL-1.0

// skynet: a tree of goroutines with fan-out 10; every leaf is its number, every node the sum of its
// children.
package main

import (
	"sync"
	"time"

	"weftcompare/common/bench"
)

const fanout = 10

func skynet(first, leaves int64) int64 {
	if leaves == 1 {
		return first
	}
	var parts [fanout]int64
	var children sync.WaitGroup
	children.Add(fanout)
	each := leaves / fanout
	for i := int64(0); i < fanout; i++ {
		go func(i int64) {
			parts[i] = skynet(first+i*each, each)
			children.Done()
		}(i)
	}
	children.Wait()
	sum := int64(0)
	for _, part := range parts {
		sum += part
	}
	return sum
}

func main() {
	size := bench.Parse("LEAVES")
	skynet(0, size[0]/fanout) // warm-up
	start := time.Now()
	sum := skynet(0, size[0])
	ns := bench.Since(start)
	bench.Metric("total", ns*1e-6, "ms")
	bench.Metric("leaf", ns/float64(size[0]), "ns")
	bench.Answer(sum)
}
