// SPDX-License-Identifier: BSL-1.0

// http, raw: a goroutine per connection that reads and writes the socket itself.
package main

import (
	"net"

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
