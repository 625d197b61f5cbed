// SPDX-License-Identifier: BSL-1.0

// Package bench is common/bench.hpp for Go: arguments, clock, and the lines tools/compare reads.
package bench

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Parse reads WORKERS (GOMAXPROCS) and the named sizes, and prints the version line.
func Parse(names ...string) []int64 {
	if len(os.Args) != len(names)+2 {
		fmt.Fprintf(os.Stderr, "usage: %s WORKERS %s\n", os.Args[0], strings.Join(names, " "))
		os.Exit(2)
	}
	runtime.GOMAXPROCS(int(number(os.Args[1], "WORKERS")))
	sizes := make([]int64, len(names))
	for i, name := range names {
		sizes[i] = number(os.Args[i+2], name)
	}
	fmt.Printf("version=%s\n", strings.TrimPrefix(runtime.Version(), "go"))
	return sizes
}

func number(text, what string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 {
		fmt.Fprintf(os.Stderr, "%s must be a non-negative integer, not %q\n", what, text)
		os.Exit(2)
	}
	return value
}

// Metric prints one measured value.
func Metric(name string, value float64, unit string) {
	fmt.Printf("%s=%.6g %s\n", name, value, unit)
}

// Answer prints what tools/compare checks.
func Answer(value int64) { fmt.Printf("answer=%d\n", value) }

// Since is the wall time since start in nanoseconds.
func Since(start time.Time) float64 { return float64(time.Since(start).Nanoseconds()) }

// CPUSeconds is the user and system time of the process.
func CPUSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// ResidentBytes is the resident set now.
func ResidentBytes() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, _ := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * float64(os.Getpagesize())
}

// Mappings is the number of mappings of the process.
func Mappings() float64 {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		panic(err)
	}
	return float64(strings.Count(string(text), "\n"))
}

// Percentile sorts the samples and returns the one a share p does not exceed; 0 when there are
// none.
func Percentile(samples []float64, p float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sort.Float64s(samples)
	return samples[int(math.Ceil(p*float64(len(samples))))-1]
}

// Lateness collects by how many ms a ticker was late.
type Lateness struct{ late []float64 }

// Add notes one tick.
func (l *Lateness) Add(late time.Duration) {
	l.late = append(l.late, float64(late.Nanoseconds())*1e-6)
}

// Report prints the percentiles; fewer than one expected tick in a hundred is starving.
func (l *Lateness) Report(expected float64) {
	Metric("late_p50", Percentile(l.late, 0.50), "ms")
	Metric("late_p99", Percentile(l.late, 0.99), "ms")
	Metric("late_max", Percentile(l.late, 1), "ms")
	Metric("ticks", float64(len(l.late)), "ticks")
	if float64(len(l.late)) < expected/100 {
		fmt.Printf("starves=%d of %.0f ticks\n", len(l.late), expected)
	}
}

// Sleeps are the pseudo-random sleeps of sleep20.
type Sleeps uint64

// NextMs is the next sleep, 1 to 50 ms.
func (s *Sleeps) NextMs() int64 {
	*s = *s*6364136223846793005 + 1442695040888963407
	return 1 + int64((*s>>33)%50)
}
