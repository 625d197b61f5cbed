// SPDX-License-Identifier: BSL-1.0

// pipeline: ITEMS through ten stages, a goroutine each, and channels of CAPACITY between them.
package main

import (
	"time"

	"weftcompare/common/bench"
)

const stages = 10

func run(stage int64, in <-chan int64, out chan<- int64) {
	for item := range in {
		out <- item*3 + stage
	}
	close(out)
}

func main() {
	size := bench.Parse("ITEMS", "CAPACITY")
	first := make(chan int64, size[1])
	last := first
	start := time.Now()
	for stage := int64(0); stage < stages; stage++ {
		out := make(chan int64, size[1])
		go run(stage, last, out)
		last = out
	}
	go func() {
		for i := int64(0); i < size[0]; i++ {
			first <- i
		}
		close(first)
	}()
	hash := uint64(0)
	for item := range last {
		hash = (hash*31 + uint64(item)) % 1_000_000_007
	}
	bench.Metric("item", bench.Since(start)/float64(size[0]), "ns")
	bench.Answer(int64(hash))
}
