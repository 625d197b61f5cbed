// SPDX-License-Identifier: BSL-1.0

// ticker_loop: LOOPS endless loops without a call beside a ticker; how late the ticker is. A
// goroutine locked to its thread, in a raw nanosleep, sets the flag that ends them: no timer of the
// runtime does, so that a starving ticker ends too.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weftcompare/common/bench"
)

func main() {
	size := bench.Parse("LOOPS", "MS", "TICK_MS")
	var stop atomic.Bool
	var ended atomic.Int64
	var group sync.WaitGroup
	group.Add(int(size[0]) + 1)
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		pause := syscall.NsecToTimespec(size[1] * 1e6)
		close(ready)
		syscall.Nanosleep(&pause, nil)
		stop.Store(true)
	}()
	<-ready
	var lateness bench.Lateness
	tick := time.Duration(size[2]) * time.Millisecond
	firstDue := time.Now().Add(tick) // late even if the ticker never starts
	go func() {
		for due := firstDue; ; due = time.Now().Add(tick) {
			time.Sleep(time.Until(due))
			lateness.Add(time.Since(due))
			if stop.Load() {
				break
			}
		}
		group.Done()
	}()
	for i := int64(0); i < size[0]; i++ {
		go func() {
			for !stop.Load() {
			}
			ended.Add(1)
			group.Done()
		}()
	}
	group.Wait()
	lateness.Report(float64(size[1] / size[2]))
	bench.Answer(ended.Load())
}
