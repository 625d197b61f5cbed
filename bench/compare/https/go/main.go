// SPDX-License-Identifier: BSL-1.0

// https: a goroutine per connection, crypto/tls.
package main

import (
	"crypto/tls"
	"net"
	"os"

	"weftcompare/common/bench"
	"weftcompare/common/server"
)

func serve(connection net.Conn, once bool) {
	defer connection.Close()
	buffer := make([]byte, 4096)
	var scanner server.HeadScanner
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		for complete := scanner.CompleteIn(buffer[:n]); complete > 0; complete-- {
			if once {
				connection.Write(server.LastResponse)
				return
			}
			if _, err := connection.Write(server.Response); err != nil {
				return
			}
		}
	}
}

func main() {
	once := bench.Parse("ONCE")[0] != 0
	pair, err := tls.LoadX509KeyPair(
		os.Getenv("WEFT_COMPARE_CERTIFICATE"), os.Getenv("WEFT_COMPARE_KEY"))
	server.Check(err)
	settings := &tls.Config{Certificates: []tls.Certificate{pair}}
	listener := tls.NewListener(server.Listen(), settings)
	server.Run(listener, func(connection net.Conn) { serve(connection, once) })
}
