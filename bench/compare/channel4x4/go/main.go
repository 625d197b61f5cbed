// SPDX-License-Identifier: BSL-1.0

// channel4x4: four producers and four consumers over one channel.
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

const side = 4

func main() {
	size := bench.Parse("ITEMS", "CAPACITY")
	channel := make(chan int64, size[1])
	var sum atomic.Int64
	var producers, consumers sync.WaitGroup
	producers.Add(side)
	consumers.Add(side)
	start := time.Now()
	for p := int64(0); p < side; p++ {
		go func(p int64) {
			for i := p; i < size[0]; i += side {
				channel <- i
			}
			producers.Done()
		}(p)
		go func() {
			own := int64(0)
			for value := range channel {
				own += value
			}
			sum.Add(own)
			consumers.Done()
		}()
	}
	producers.Wait()
	close(channel)
	consumers.Wait()
	bench.Metric("item", bench.Since(start)/float64(size[0]), "ns")
	bench.Answer(sum.Load())
}
