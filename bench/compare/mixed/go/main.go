// SPDX-License-Identifier: BSL-1.0

// mixed: CLIENTS connections with ROUNDS round trips each, beside JOBS goroutines that count the
// primes below LIMIT.
package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"weftcompare/common/bench"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func primesBelow(limit int64) (count int64) {
	for n := int64(2); n < limit; n++ {
		divisor := int64(2)
		for divisor*divisor <= n && n%divisor != 0 {
			divisor++
		}
		if divisor*divisor > n {
			count++
		}
	}
	return count
}

func serve(connection net.Conn, rounds int64) {
	defer connection.Close()
	var buffer [8]byte
	for i := int64(0); i < rounds; i++ {
		must(io.ReadFull(connection, buffer[:]))
		number := binary.LittleEndian.Uint64(buffer[:])
		binary.LittleEndian.PutUint64(buffer[:], number+1)
		must(connection.Write(buffer[:]))
	}
}

// ask returns the sum of the answers and the round trips in microseconds.
func ask(address string, rounds int64) (sum int64, roundTrips []float64) {
	connection := must(net.Dial("tcp", address))
	defer connection.Close()
	var buffer [8]byte
	for i := int64(0); i < rounds; i++ {
		start := time.Now()
		binary.LittleEndian.PutUint64(buffer[:], uint64(i))
		must(connection.Write(buffer[:]))
		must(io.ReadFull(connection, buffer[:]))
		sum += int64(binary.LittleEndian.Uint64(buffer[:]))
		roundTrips = append(roundTrips, bench.Since(start)*1e-3)
	}
	return sum, roundTrips
}

func main() {
	size := bench.Parse("CLIENTS", "ROUNDS", "JOBS", "LIMIT")
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	var all sync.WaitGroup
	var mutex sync.Mutex // guards total and roundTrips
	total, roundTrips := int64(0), []float64{}
	spawn := func(body func()) {
		all.Add(1)
		go func() {
			body()
			all.Done()
		}()
	}
	add := func(sum int64, some []float64) {
		mutex.Lock()
		total += sum
		roundTrips = append(roundTrips, some...)
		mutex.Unlock()
	}
	start := time.Now()
	for i := int64(0); i < size[0]; i++ {
		spawn(func() { add(ask(listener.Addr().String(), size[1])) })
	}
	for i := int64(0); i < size[2]; i++ {
		spawn(func() { add(primesBelow(size[3]), nil) })
	}
	for i := int64(0); i < size[0]; i++ {
		connection := must(listener.Accept())
		spawn(func() { serve(connection, size[1]) })
	}
	all.Wait()
	bench.Metric("wall", bench.Since(start)*1e-6, "ms")
	bench.Metric("round_trip_p50", bench.Percentile(roundTrips, 0.50), "us")
	bench.Metric("round_trip_p99", bench.Percentile(roundTrips, 0.99), "us")
	bench.Answer(total)
}
