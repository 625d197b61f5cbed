// SPDX-License-Identifier: BSL-1.0

// http10k: http/go-raw, and each request waits 10 ms: a sleep of its goroutine.
package main

import (
	"net"
	"time"

	"weftcompare/common/bench"
	"weftcompare/common/server"
)

func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 4096)
	var scanner server.HeadScanner
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		for complete := scanner.CompleteIn(buffer[:n]); complete > 0; complete-- {
			time.Sleep(10 * time.Millisecond)
			if _, err := connection.Write(server.Response); err != nil {
				return
			}
		}
	}
}

func main() {
	bench.Parse()
	server.Run(server.Listen(), serve)
}
