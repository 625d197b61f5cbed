// SPDX-License-Identifier: BSL-1.0

// pingpong: two goroutines, two unbuffered channels, ROUNDS round trips.
package main

import (
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("ROUNDS")
	ping, pong := make(chan int64), make(chan int64)
	go func() {
		for value := range ping {
			pong <- value + 1
		}
		close(pong)
	}()
	sum := int64(0)
	start := time.Now()
	for i := int64(0); i < size[0]; i++ {
		ping <- i
		sum += <-pong
	}
	bench.Metric("round_trip", bench.Since(start)/float64(size[0]), "ns")
	close(ping)
	bench.Answer(sum)
}
