// SPDX-License-Identifier: BSL-1.0

// requests: count GETs, inFlight goroutines, net/http's client, which keeps their connections.
// rounds times, each with fresh connections.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"weftcompare/common/bench"
)

func get(client *http.Client, url string) (bool, error) {
	response, err := client.Get(url)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == 200 && string(body) == "Hello, World!\n", err
}

func main() {
	sizes := bench.Parse("COUNT", "IN_FLIGHT", "ROUNDS", "PORT")
	count, inFlight, rounds := sizes[0], int(sizes[1]), sizes[2]
	url := fmt.Sprintf("http://127.0.0.1:%d/", sizes[3])
	var times []float64
	took := make([]float64, count*rounds)
	var right int64
	cpu := bench.CPUSeconds()
	for round := int64(0); round < rounds; round++ {
		transport := &http.Transport{MaxIdleConns: inFlight, MaxIdleConnsPerHost: inFlight}
		client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
		var next int64
		start := time.Now()
		var all sync.WaitGroup
		for i := 0; i < inFlight; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for {
					n := atomic.AddInt64(&next, 1) - 1
					if n >= count {
						return
					}
					begin := time.Now()
					is, err := get(client, url)
					if err != nil {
						fmt.Fprintln(os.Stderr, err)
					}
					if is {
						atomic.AddInt64(&right, 1)
					}
					took[round*count+n] = bench.Since(begin) / 1e6
				}
			}()
		}
		all.Wait()
		times = append(times, bench.Since(start)/1e6)
		transport.CloseIdleConnections()
	}
	bench.Metric("time", bench.Percentile(times, 0.5), "ms")
	bench.Metric("cpu", (bench.CPUSeconds()-cpu)*1e6/float64(len(took)), "us/req")
	bench.Metric("p50", bench.Percentile(took, 0.5), "ms")
	bench.Metric("p99", bench.Percentile(took, 0.99), "ms")
	bench.Answer(right)
}
