// SPDX-License-Identifier: BSL-1.0

// echo: a goroutine per connection that writes back what it reads.
package main

import (
	"net"

	"weftcompare/common/bench"
	"weftcompare/common/server"
)

func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 512)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func main() {
	bench.Parse()
	server.Run(server.Listen(), serve)
}
