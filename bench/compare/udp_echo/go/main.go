// SPDX-License-Identifier: BSL-1.0

// udp_echo: one goroutine sends each message back to where it came from.
package main

import (
	"fmt"
	"net"

	"weftcompare/common/bench"
	"weftcompare/common/server"
)

func main() {
	bench.Parse()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	server.Check(err)
	fmt.Printf("port=%d\n", socket.LocalAddr().(*net.UDPAddr).Port)
	buffer := make([]byte, 2048)
	for {
		// The forms that allocate nothing.
		if n, from, err := socket.ReadFromUDPAddrPort(buffer); err == nil {
			socket.WriteToUDPAddrPort(buffer[:n], from)
		}
	}
}
