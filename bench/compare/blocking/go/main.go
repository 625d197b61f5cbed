// SPDX-License-Identifier: BSL-1.0

// blocking: TASKS goroutines, each in CALLS raw blocking sleeps of the kernel, beside a ticker.
package main

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("TASKS", "CALLS", "MS", "TICK_MS")
	var stop atomic.Bool
	var calls atomic.Int64
	var blockers, ticker sync.WaitGroup
	var lateness bench.Lateness
	tick := time.Duration(size[3]) * time.Millisecond
	firstDue := time.Now().Add(tick) // late even if the ticker never starts
	ticker.Add(1)
	go func() {
		for due := firstDue; ; due = time.Now().Add(tick) {
			time.Sleep(time.Until(due))
			lateness.Add(time.Since(due))
			if stop.Load() {
				break
			}
		}
		ticker.Done()
	}()
	start := time.Now()
	for t := int64(0); t < size[0]; t++ {
		blockers.Add(1)
		go func() {
			for i := int64(0); i < size[1]; i++ {
				left := syscall.NsecToTimespec(size[2] * 1e6)
				for syscall.Nanosleep(&left, &left) == syscall.EINTR {
				}
				calls.Add(1)
			}
			blockers.Done()
		}()
	}
	blockers.Wait()
	wall := bench.Since(start) * 1e-6
	stop.Store(true)
	ticker.Wait()
	bench.Metric("wall", wall, "ms")
	lateness.Report(wall / float64(size[3]))
	bench.Answer(calls.Load())
}
