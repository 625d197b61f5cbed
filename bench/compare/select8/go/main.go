// SPDX-License-Identifier: BSL-1.0

// select8: one goroutine selecting over eight channels, each fed by its producer.
package main

import (
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("ITEMS", "CAPACITY")
	var c [8]chan int64
	for p := range c {
		c[p] = make(chan int64, size[1])
	}
	each := size[0] / int64(len(c))
	start := time.Now()
	for p := range c {
		go func(p int64) {
			for i := p * each; i < (p+1)*each; i++ {
				c[p] <- i
			}
		}(int64(p))
	}
	sum := int64(0)
	for i := int64(0); i < each*int64(len(c)); i++ {
		var value int64
		select {
		case value = <-c[0]:
		case value = <-c[1]:
		case value = <-c[2]:
		case value = <-c[3]:
		case value = <-c[4]:
		case value = <-c[5]:
		case value = <-c[6]:
		case value = <-c[7]:
		}
		sum += value
	}
	bench.Metric("item", bench.Since(start)/float64(size[0]), "ns")
	bench.Answer(sum)
}
