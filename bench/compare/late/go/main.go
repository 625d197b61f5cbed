// SPDX-License-Identifier: BSL-1.0

// late: what is late beside what; late/weft.cpp says what the numbers mean. Go has no request to
// give way in a call: its sysmon stops whoever runs for 10 ms.
package main

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"weftcompare/common/bench"
)

var stop atomic.Bool

func running() bool { return !stop.Load() }

func pauseThread(d time.Duration) {
	pause := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&pause, nil)
}

func hog(kind int64) {
	switch kind {
	case 0:
		for running() {
		}
	case 1:
		for running() {
			pauseThread(2 * time.Millisecond)
		}
	case 2:
		c := make(chan int, 1)
		for running() {
			select {
			case c <- 1:
			default:
			}
			select {
			case <-c:
			default:
			}
		}
	case 3:
		var m sync.Mutex
		for running() {
			m.Lock()
			m.Unlock()
		}
	case 4:
		done := make(chan struct{})
		for running() {
			go func() { done <- struct{}{} }()
			<-done
		}
	default:
		for running() {
			for end := time.Now().Add(20 * time.Microsecond); time.Now().Before(end); {
			}
			runtime.Gosched()
		}
	}
}

// outside runs f on a thread that is locked to it and sleeps in the kernel between two calls.
func outside(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		for running() {
			pauseThread(time.Millisecond)
			f()
		}
		close(done)
	}()
	<-done
}

func watch(kind int64, late *bench.Lateness) {
	const tick = time.Millisecond
	switch kind {
	case 0:
		for due := time.Now().Add(tick); running(); due = time.Now().Add(tick) {
			time.Sleep(time.Until(due))
			late.Add(time.Since(due))
		}
	case 1:
		there, back := make(chan int), make(chan int)
		go func() {
			for v := range there {
				back <- v
			}
			close(back)
		}()
		for at := time.Now(); running(); {
			there <- 1
			<-back
			now := time.Now()
			late.Add(now.Sub(at))
			at = now
		}
		close(there)
		<-back
	case 2:
		started := make(chan time.Time)
		outside(func() {
			now := time.Now()
			go func() { started <- time.Now() }()
			late.Add((<-started).Sub(now))
		})
	default:
		ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			panic(err)
		}
		from, to := os.NewFile(uintptr(ends[0]), "from"), ends[1]
		read := make(chan struct{})
		go func() {
			var sent time.Duration
			bytes := unsafe.Slice((*byte)(unsafe.Pointer(&sent)), unsafe.Sizeof(sent))
			for {
				if n, _ := from.Read(bytes); n != len(bytes) {
					break
				}
				late.Add(time.Since(begin) - sent)
			}
			close(read)
		}()
		outside(func() {
			sent := time.Since(begin)
			syscall.Write(to, unsafe.Slice((*byte)(unsafe.Pointer(&sent)), unsafe.Sizeof(sent)))
		})
		syscall.Close(to)
		<-read
	}
}

var begin = time.Now()

func main() {
	size := bench.Parse("HOGS", "HOG", "WATCHED", "MS")
	var late bench.Lateness
	var ended atomic.Int64
	var hogs, watcher sync.WaitGroup
	go func() {
		runtime.LockOSThread()
		pauseThread(time.Duration(size[3]) * time.Millisecond)
		stop.Store(true)
	}()
	watcher.Add(1)
	go func() {
		watch(size[2], &late)
		watcher.Done()
	}()
	for i := int64(0); i < size[0]; i++ {
		hogs.Add(1)
		go func() {
			hog(size[1])
			ended.Add(1)
			hogs.Done()
		}()
	}
	watcher.Wait()
	hogs.Wait()
	late.Report(float64(size[3]))
	bench.Answer(ended.Load())
}
