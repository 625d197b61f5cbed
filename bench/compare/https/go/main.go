// SPDX-License-Identifier: BSL-1.0

// https: a goroutine per connection, crypto/tls.
package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"

	"weftcompare/common/bench"
)

var response = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 14\r\n\r\nHello, World!\n")
var last = []byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 14\r\n\r\nHello, World!\n")

// scan counts the heads that end in data; matched carries how much of "\r\n\r\n" was seen across
// reads.
func scan(data []byte, matched *int) (complete int) {
	const end = "\r\n\r\n"
	for _, c := range data {
		switch {
		case c == end[*matched]:
			*matched++
		case c == '\r':
			*matched = 1
		default:
			*matched = 0
		}
		if *matched == len(end) {
			*matched = 0
			complete++
		}
	}
	return complete
}

func serve(connection net.Conn, once bool) {
	defer connection.Close()
	buffer := make([]byte, 4096)
	matched := 0
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		for complete := scan(buffer[:n], &matched); complete > 0; complete-- {
			if once {
				connection.Write(last)
				return
			}
			if _, err := connection.Write(response); err != nil {
				return
			}
		}
	}
}

func main() {
	once := bench.Parse("ONCE")[0] != 0
	pair, err := tls.LoadX509KeyPair(
		os.Getenv("WEFT_COMPARE_CERTIFICATE"), os.Getenv("WEFT_COMPARE_KEY"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	settings := &tls.Config{Certificates: []tls.Certificate{pair}}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("port=%d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(connection, once)
	}
}
