package main

import (
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// forward takes connections where it is started and passes each on to an address inside another network namespace. It
// is how a port of the host's loopback leads into a lab whose networks the host cannot see.
func forward(arguments []string) int {
	flags := flag.NewFlagSet("forward", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`ADDRESS:PORT` to listen on; port 0 takes a free one")
	namespace := flags.String("netns", "", "`FILE` of the network namespace to connect from, /proc/PID/ns/net")
	to := flags.String("to", "", "`ADDRESS:PORT` to connect to")
	portFile := flags.String("port-file", "", "`FILE` that is written, whole, with the port that was taken")
	flags.String("lab", "", "`FOLDER` of the lab it belongs to; how it is found again")
	if err := flags.Parse(arguments); err != nil {
		return 2
	}
	// Opened once: the namespace lives as long as this does, and its number is not another's by then.
	target, err := os.Open(*namespace)
	if err != nil {
		return fail("forward", err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fail("forward", err)
	}
	if err := writePort(*portFile, listener.Addr().(*net.TCPAddr).Port); err != nil {
		return fail("forward", err)
	}
	for {
		caller, err := listener.Accept()
		if err != nil {
			return fail("forward", err)
		}
		go serve(caller, target, *to)
	}
}

func writePort(file string, port int) error {
	if file == "" {
		return nil
	}
	half := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(half, []byte(strconv.Itoa(port)), 0o644); err != nil {
		return err
	}
	return os.Rename(half, file)
}

func serve(caller net.Conn, namespace *os.File, to string) {
	defer caller.Close()
	called, err := dialIn(namespace, to)
	if err != nil {
		// The caller is to see what it would see without us: a connection that was not taken.
		if connection, ok := caller.(*net.TCPConn); ok {
			_ = connection.SetLinger(0)
		}
		return
	}
	defer called.Close()
	var both sync.WaitGroup
	both.Add(2)
	for _, pair := range [][2]net.Conn{{caller, called}, {called, caller}} {
		go func() {
			defer both.Done()
			_, err := io.Copy(pair[1], pair[0])
			into := pair[1].(*net.TCPConn)
			if err != nil {
				// A reset is passed on as one.
				_ = into.SetLinger(0)
				_ = into.Close()
				return
			}
			_ = into.CloseWrite()
		}()
	}
	both.Wait()
}

// dialIn connects from inside a namespace. A socket belongs to the namespace that its thread was in when it was made,
// so a thread is moved there; it is never unlocked, which makes the runtime end it with its goroutine.
func dialIn(namespace *os.File, to string) (net.Conn, error) {
	type answer struct {
		connection net.Conn
		err        error
	}
	answers := make(chan answer)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			answers <- answer{nil, err}
			return
		}
		// One address, no name: the dialer makes the socket on this thread.
		connection, err := net.Dial("tcp4", to)
		answers <- answer{connection, err}
	}()
	got := <-answers
	return got.connection, got.err
}
