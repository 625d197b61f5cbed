// SPDX-License-Identifier: BSL-1.0

// matmul: a goroutine per half of the longer side of the product, down to LEAF x LEAF tiles.
package main

import (
	"sync"
	"time"

	"weftcompare/common/bench"
)

type tile struct{ row, rows, column, columns int }

func (t tile) halves() (tile, tile) {
	first, second := t, t
	if t.rows >= t.columns {
		first.rows = t.rows / 2
		second.row += first.rows
		second.rows -= first.rows
	} else {
		first.columns = t.columns / 2
		second.column += first.columns
		second.columns -= first.columns
	}
	return first, second
}

type product struct {
	n       int
	a, b, c []float64 // by rows
}

func newProduct(n int) *product {
	p := &product{n, make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)}
	for i := 0; i < n; i++ {
		for j := 0; j < n; j++ {
			p.a[i*n+j] = float64((i + j) % 7)
			p.b[i*n+j] = float64(i * j % 5)
		}
	}
	return p
}

func (p *product) compute(t tile) {
	for i := t.row; i < t.row+t.rows; i++ {
		to := p.c[i*p.n+t.column:][:t.columns]
		for j := range to {
			to[j] = 0
		}
		for k := 0; k < p.n; k++ {
			factor := p.a[i*p.n+k]
			from := p.b[k*p.n+t.column:][:len(to)]
			for j := range to {
				to[j] += factor * from[j]
			}
		}
	}
}

func (p *product) multiply(t tile, leaf int) {
	if t.rows <= leaf && t.columns <= leaf {
		p.compute(t)
		return
	}
	first, second := t.halves()
	var child sync.WaitGroup
	child.Add(1)
	go func() {
		p.multiply(first, leaf)
		child.Done()
	}()
	p.multiply(second, leaf)
	child.Wait()
}

func (p *product) weightedSum() (sum int64) {
	for i := 0; i < p.n; i++ {
		for j := 0; j < p.n; j++ {
			sum += int64(p.c[i*p.n+j]) * int64(i%10+1) * int64(j%10+1)
		}
	}
	return sum
}

func main() {
	size := bench.Parse("N", "LEAF")
	p := newProduct(int(size[0]))
	whole, leaf := tile{0, p.n, 0, p.n}, int(size[1])
	p.multiply(whole, leaf) // warm-up
	start := time.Now()
	p.multiply(whole, leaf)
	bench.Metric("total", bench.Since(start)*1e-6, "ms")
	bench.Answer(p.weightedSum())
}
