package v4l2

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Buffer is one picture in a buffer of the driver's.
type Buffer struct {
	// Data is valid only until the function that is given the Buffer returns.
	Data []byte
	// Start is when the exposure began as far as the driver tells. Where it only
	// tells when the picture was complete, it is that; see Exact.
	Start time.Time
	// Exact means that Start is that of the exposure, by the driver's own word.
	Exact bool
	// Sequence counts pictures of the camera, those included that were not delivered.
	Sequence uint32
}

// Counts is what happened to pictures that were not handed out.
type Counts struct {
	// Bad were delivered with an error flag: part of them is missing.
	Bad int64
	// Replaced were whole and gave way to a newer one before they were read.
	Replaced int64
	// Lost were never seen: gaps in the camera's own numbers.
	Lost int64
}

// Counts is what happened so far.
func (d *Device) Counts() Counts { return d.counts }

// staleClock is the largest age of a picture that is believed. There are
// cameras whose clock runs away.
const staleClock = 10 * time.Second

// Start maps n buffers and starts the stream. All that is to be set must be set
// before. Nothing polls the device until then: drivers that can be read() start
// to stream by themselves when they are polled without buffers, and every set-up
// call after that fails with EBUSY. Errors wrap unix.EBUSY when another program
// streams; the device can only be closed after an error.
func (d *Device) Start(n int) error {
	r := requestBuffers{count: uint32(n), typ: typeCapture, memory: memoryMmap}
	if err := d.ioctl(reqReqBufs, unsafe.Pointer(&r)); err != nil {
		return fmt.Errorf("ask %s for %d buffers: %w", d.path, n, err)
	}
	d.buffered = true
	for i := range r.count {
		if err := d.mapBuffer(i); err != nil {
			return err
		}
	}
	if len(d.bufs) == 0 {
		return fmt.Errorf("ask %s for %d buffers: got none: %w", d.path, n, unix.ENOMEM)
	}
	typ := uint32(typeCapture)
	if err := d.ioctl(reqStreamOn, unsafe.Pointer(&typ)); err != nil {
		return fmt.Errorf("start the stream of %s: %w", d.path, err)
	}
	d.streams = true
	return nil
}

// mapBuffer maps a buffer and gives it to the driver to fill.
func (d *Device) mapBuffer(i uint32) error {
	b := buffer{index: i, typ: typeCapture, memory: memoryMmap}
	if err := d.ioctl(reqQueryBuf, unsafe.Pointer(&b)); err != nil {
		return fmt.Errorf("ask %s for buffer %d: %w", d.path, i, err)
	}
	offset := *(*uint32)(unsafe.Pointer(&b.m))
	m, err := unix.Mmap(d.fd, int64(offset), int(b.length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map buffer %d of %s, %d bytes: %w", i, d.path, b.length, err)
	}
	d.bufs = append(d.bufs, m)
	return d.queue(i)
}

func (d *Device) queue(i uint32) error {
	b := buffer{index: i, typ: typeCapture, memory: memoryMmap}
	if err := d.ioctl(reqQBuf, unsafe.Pointer(&b)); err != nil {
		return fmt.Errorf("give buffer %d back to %s: %w", i, d.path, err)
	}
	return nil
}

// dequeue takes a filled buffer, or says unix.EAGAIN.
func (d *Device) dequeue() (buffer, error) {
	b := buffer{typ: typeCapture, memory: memoryMmap}
	err := d.ioctl(reqDQBuf, unsafe.Pointer(&b))
	if err == nil && int(b.index) >= len(d.bufs) {
		err = fmt.Errorf("buffer %d of %d: %w", b.index, len(d.bufs), unix.EBADMSG)
	}
	if err == nil {
		d.number(b.sequence)
	}
	return b, err
}

// number finds gaps in the camera's own count.
func (d *Device) number(seq uint32) {
	if gap := seq - d.last - 1; d.seen && gap < 1<<16 {
		d.counts.Lost += int64(gap)
	}
	d.seen, d.last = true, seq
}

// Next waits for a picture until the deadline and hands the newest whole one
// to use; older ones that waited and damaged ones go straight back to the driver.
// use must copy what it wants to keep. Errors: os.ErrDeadlineExceeded when
// the deadline passed or Interrupt was called; else they wrap what the driver
// said, unix.ENODEV when the camera has been taken away, and mean that the
// device is of no use any more.
func (d *Device) Next(deadline time.Time, use func(Buffer)) error {
	for {
		b, err := d.wait(deadline)
		if err != nil {
			return fmt.Errorf("wait for a picture of %s: %w", d.path, err)
		}
		if b, err = d.newest(b); err != nil {
			return err
		}
		if b.flags&bufError != 0 {
			d.counts.Bad++
			if err := d.queue(b.index); err != nil {
				return err
			}
			continue
		}
		use(d.view(b))
		return d.queue(b.index)
	}
}

// Interrupt ends the Next that is waiting and all to come. It may be called by
// any goroutine at any time.
func (d *Device) Interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		_, _ = unix.Write(d.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1}) // fails only when it is set already
	}
}

// wait dequeues one buffer. It parks a thread in poll(2) rather than leave the
// descriptor to the poller of the Go runtime, for two reasons. Many drivers take
// a lock when they are polled and answer "error" when a signal comes meanwhile,
// which Go sends to its threads all the time: an answer that is gone at the next
// call, but the runtime asks only once and waits for ever after. And a copy of
// the descriptor in a child process that is being started keeps it with the
// runtime's poller beyond Close, which makes drivers that can be read() start
// to stream by themselves.
func (d *Device) wait(deadline time.Time) (buffer, error) {
	for {
		b, err := d.dequeue()
		if err != unix.EAGAIN {
			return b, err
		}
		if err := d.poll(deadline); err != nil {
			return b, err
		}
	}
}

// poll waits until it is worth asking for a buffer.
func (d *Device) poll(deadline time.Time) error {
	left := time.Until(deadline)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	fds := []unix.PollFd{{Fd: int32(d.wake), Events: unix.POLLIN}, {Fd: int32(d.fd), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, int(min(left, time.Hour)/time.Millisecond)+1)
	switch {
	case err == unix.EINTR:
		return nil
	case err != nil:
		return err
	case fds[0].Revents != 0:
		return os.ErrDeadlineExceeded
	case fds[1].Revents&unix.POLLERR != 0:
		// If it lasts, asking for a buffer says what it is. If not, this keeps a
		// driver that thinks otherwise from being asked without a pause.
		_, err = unix.Poll(fds[:1], 1)
		if err == unix.EINTR {
			err = nil
		}
	}
	return err
}

// newest exchanges a buffer for the newest that is there already and whole.
func (d *Device) newest(b buffer) (buffer, error) {
	for range len(d.bufs) {
		next, err := d.dequeue()
		if err != nil {
			return b, nil // none; and an error will be there at the next wait too
		}
		drop := b
		if next.flags&bufError != 0 && b.flags&bufError == 0 {
			drop, next = next, b
		}
		if drop.flags&bufError != 0 {
			d.counts.Bad++
		} else {
			d.counts.Replaced++
		}
		if err := d.queue(drop.index); err != nil {
			return b, err
		}
		b = next
	}
	return b, nil
}

// view is a buffer as the outside sees it.
func (d *Device) view(b buffer) Buffer {
	data := d.bufs[b.index]
	v := Buffer{Data: data[:min(int(b.bytesUsed), len(data))], Start: time.Now(), Sequence: b.sequence}
	var now unix.Timespec
	if b.flags&bufClockMask != bufClockMonotonic || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return v
	}
	age := time.Duration(now.Nano() - b.timestamp.Nano())
	if age < 0 || age > staleClock {
		return v
	}
	v.Start = v.Start.Add(-age)
	v.Exact = b.flags&bufSourceMask == bufSourceExposure
	return v
}

// release ends the stream and gives the buffers back by hand: a child process
// that is being started at this moment has a copy of the descriptor, and with
// it, for a while, the stream and the buffers would live on.
func (d *Device) release() {
	if d.streams {
		typ := uint32(typeCapture)
		_ = d.ioctl(reqStreamOff, unsafe.Pointer(&typ)) // refused only by a device that is gone
		d.streams = false
	}
	for _, b := range d.bufs {
		_ = unix.Munmap(b) // it is what Mmap returned
	}
	d.bufs = nil
	if d.buffered {
		r := requestBuffers{typ: typeCapture, memory: memoryMmap}
		_ = d.ioctl(reqReqBufs, unsafe.Pointer(&r)) // as above
		d.buffered = false
	}
}
