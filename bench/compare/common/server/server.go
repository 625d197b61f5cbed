// SPDX-License-Identifier: BSL-1.0

// Package server is common/http.hpp for Go: where a request ends, the one response to all of them,
// and a loop that accepts. A package of its own, so that programs without sockets have none.
package server

import (
	"fmt"
	"net"
	"os"
)

// Response is the answer to every request.
var Response = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 14\r\n\r\nHello, World!\n")

// LastResponse is the last of a connection.
var LastResponse = []byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 14\r\n\r\nHello, World!\n")

// HeadScanner carries how much of the blank line it has seen from one read to the next.
type HeadScanner struct{ matched int }

// CompleteIn is how many request heads end in data.
func (s *HeadScanner) CompleteIn(data []byte) (complete int) {
	const end = "\r\n\r\n"
	matched := s.matched
	for _, c := range data {
		switch {
		case c == end[matched]:
			matched++
		case c == '\r':
			matched = 1
		default:
			matched = 0
		}
		if matched == len(end) {
			matched = 0
			complete++
		}
	}
	s.matched = matched
	return complete
}

// Check ends the program if there is an error.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Listen listens on a port of the kernel's choice, which PrintPort says.
func Listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Check(err)
	return listener
}

// PrintPort prints the line that tools/compare waits for.
func PrintPort(listener net.Listener) {
	fmt.Printf("port=%d\n", listener.Addr().(*net.TCPAddr).Port)
}

// Run prints the port and runs serve in a goroutine for each connection.
func Run(listener net.Listener, serve func(net.Conn)) {
	PrintPort(listener)
	for {
		connection, err := listener.Accept()
		Check(err)
		go serve(connection)
	}
}
