// SPDX-License-Identifier: BSL-1.0

// http_postgres: a goroutine per connection, pgx with its pool. "GET /?id=7" is answered by the
// name of person 7.
package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
	"weftcompare/common/bench"
	"weftcompare/common/server"
)

// answer is what a request for person id gets.
func answer(people *pgxpool.Pool, id int) []byte {
	var name string
	// pgx prepares a statement when it first sees it.
	err := people.QueryRow(context.Background(), "select name from people where id = $1", id).
		Scan(&name)
	if err != nil {
		return []byte("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
	}
	body := name + "\n"
	return []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

func serve(connection net.Conn, people *pgxpool.Pool) {
	defer connection.Close()
	var data []byte
	buffer := make([]byte, 4096)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		data = append(data, buffer[:n]...)
		for {
			head, rest, whole := bytes.Cut(data, []byte("\r\n\r\n"))
			if !whole {
				break
			}
			id := 0
			if line, is := bytes.CutPrefix(head, []byte("GET /?id=")); is {
				number, _, _ := bytes.Cut(line, []byte(" "))
				id, _ = strconv.Atoi(string(number))
			}
			data = append(data[:0], rest...)
			if _, err := connection.Write(answer(people, id)); err != nil {
				return
			}
		}
	}
}

func main() {
	pool := bench.Parse("POOL")[0]
	settings, err := pgxpool.ParseConfig(os.Getenv("WEFT_COMPARE_DATABASE"))
	server.Check(err)
	settings.MaxConns = int32(pool)
	people, err := pgxpool.NewWithConfig(context.Background(), settings)
	server.Check(err)
	server.Run(server.Listen(), func(connection net.Conn) { serve(connection, people) })
}
