// A module of its own: the other Go subjects need nothing but the standard library.
module weftcompare/http_postgres/go

go 1.23.0

require (
	github.com/jackc/pgx/v5 v5.7.6
	weftcompare v0.0.0
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.2 // indirect
	golang.org/x/crypto v0.37.0 // indirect
	golang.org/x/sync v0.13.0 // indirect
	golang.org/x/text v0.24.0 // indirect
)

replace weftcompare => ../..
