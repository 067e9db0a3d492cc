package main

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// A delivery is one request that the sink received.
type delivery struct {
	Time time.Time       `json:"time"`
	Path string          `json:"path"`
	Body json.RawMessage `json:"body"`
}

// sink is where Alertmanager's webhooks end: POST keeps what it is sent, GET shows everything as JSON, DELETE forgets.
// What it keeps is also appended to a file, a line each.
func sink(arguments []string) int {
	flags := flag.NewFlagSet("sink", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`ADDRESS:PORT` to listen on")
	file := flags.String("file", "", "`FILE` to append to")
	if err := flags.Parse(arguments); err != nil {
		return 2
	}
	log, err := os.OpenFile(*file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fail("sink", err)
	}
	var lock sync.Mutex
	kept := []delivery{}
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		switch request.Method {
		case http.MethodPost:
			body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, 1<<20))
			if err == nil && !json.Valid(body) {
				body, err = json.Marshal(string(body))
			}
			if err != nil {
				http.Error(answer, err.Error(), http.StatusBadRequest)
				return
			}
			received := delivery{Time: time.Now().UTC(), Path: request.URL.Path, Body: body}
			kept = append(kept, received)
			if err := json.NewEncoder(log).Encode(received); err != nil {
				http.Error(answer, err.Error(), http.StatusInternalServerError)
			}
		case http.MethodGet:
			answer.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(answer).Encode(kept)
		case http.MethodDelete:
			kept = []delivery{}
		default:
			http.Error(answer, "POST, GET or DELETE", http.StatusMethodNotAllowed)
		}
	})
	return fail("sink", http.ListenAndServe(*listen, nil))
}
