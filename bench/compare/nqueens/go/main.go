// SPDX-License-Identifier: BSL-1.0

// nqueens: all ways to put N queens on a board, a goroutine per queen that can stand.
package main

import (
	"sync"
	"time"

	"weftcompare/common/bench"
)

// A board is where the next row's queen would be attacked: columns and both diagonals.
type board struct{ columns, left, right uint32 }

func place(b board, all uint32) int64 {
	if b.columns == all {
		return 1
	}
	var found [32]int64
	var children sync.WaitGroup
	count := 0
	for free := all &^ (b.columns | b.left | b.right); free != 0; free &= free - 1 {
		queen := free & -free
		next := board{b.columns | queen, (b.left | queen) << 1, (b.right | queen) >> 1}
		result := &found[count]
		children.Add(1)
		go func() {
			*result = place(next, all)
			children.Done()
		}()
		count++
	}
	children.Wait()
	sum := int64(0)
	for _, some := range found[:count] {
		sum += some
	}
	return sum
}

func main() {
	size := bench.Parse("N", "TASKS")
	start := time.Now()
	answer := place(board{}, uint32(1)<<size[0]-1)
	ns := bench.Since(start)
	bench.Metric("task", ns/float64(size[1]), "ns")
	bench.Metric("total", ns*1e-6, "ms")
	bench.Answer(answer)
}
