package httpcam

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// gzipStart begins what gzip has packed by its only method (RFC 1952, 2.3.1).
const gzipStart = "\x1f\x8b\x08"

// unpackHead is how long the head of a part may be, in bytes.
const unpackHead = 4 << 10

// unpacker is a body without the gzip that some servers use although it was not
// asked for: around all of it, or around each part of a multipart one. The first
// bytes tell, never a header.
type unpacker struct {
	in  io.Reader
	out io.Reader // what the first bytes made of in; nil before them
}

func unpack(r io.Reader) io.Reader { return &unpacker{in: r} }

func (u *unpacker) Read(b []byte) (int, error) {
	if u.out == nil {
		u.begin()
	}
	return u.out.Read(b)
}

// begin reads as far as is needed to know.
func (u *unpacker) begin() {
	var first []byte
	var err error
	var chunk [512]byte
	for err == nil && undecided(first) {
		var n int
		n, err = u.in.Read(chunk[:])
		first = append(first, chunk[:n]...)
	}
	rest := u.in
	if err != nil {
		rest = failing{err}
	}
	all := io.MultiReader(bytes.NewReader(first), rest)
	switch body := partBody(first); {
	case bytes.HasPrefix(first, []byte(gzipStart)):
		u.out = &gunzip{in: bufio.NewReader(all)}
	case body > 0 && bytes.HasPrefix(first[body:], []byte(gzipStart)):
		u.out = &partUnpacker{in: bufio.NewReaderSize(all, unpackHead)}
	default:
		u.out = all
	}
}

// undecided says whether more of a body must come to know if it is packed.
func undecided(first []byte) bool {
	if len(first) < len(gzipStart) {
		return true
	}
	if !isPartHead(first) {
		return false
	}
	body := partBody(first)
	return body == 0 && len(first) < unpackHead || body > 0 && len(first) < body+len(gzipStart)
}

// isPartHead says whether first may begin the head of a part: a boundary, or the
// name of a field.
func isPartHead(first []byte) bool {
	c := bytes.TrimLeft(first, "\r\n")
	return len(c) == 0 || c[0] == '-' || c[0]|0x20 == 'c' || c[0]|0x20 == 'x'
}

// partBody is where the body of the first part begins; 0 is not known.
func partBody(first []byte) int {
	if !isPartHead(first) {
		return 0
	}
	for from := len(first) - len(bytes.TrimLeft(first, "\r\n")); ; {
		i := bytes.IndexByte(first[from:], '\n')
		if i < 0 {
			return 0
		}
		line := bytes.TrimRight(first[from:from+i], "\r")
		from += i + 1
		if len(line) == 0 {
			return from
		}
	}
}

// gunzip is one packed body.
type gunzip struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func (g *gunzip) Read(b []byte) (n int, err error) {
	if g.z == nil {
		if g.z, err = gzip.NewReader(g.in); err != nil {
			return 0, err
		}
		g.z.Multistream(false) // what follows may be no gzip, and is not waited for
	}
	return g.z.Read(b)
}

// partUnpacker is a multipart body whose parts are packed one by one. It leaves the
// lengths out, which are those of the packed parts.
type partUnpacker struct {
	in   *bufio.Reader
	line []byte  // to be read
	body *gunzip // the part that is being unpacked, or nil
}

func (p *partUnpacker) Read(b []byte) (int, error) {
	for {
		if len(p.line) > 0 {
			n := copy(b, p.line)
			p.line = p.line[n:]
			return n, nil
		}
		if p.body != nil {
			n, err := p.body.Read(b)
			if n > 0 {
				return n, nil
			}
			if err != nil && err != io.EOF {
				return 0, err
			}
			if err == io.EOF {
				p.body = nil
			}
			continue
		}
		line, err := p.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			p.line = append(p.line, line...)
			if len(line) > 0 {
				continue
			}
			return 0, err
		}
		if !bytes.HasPrefix(bytes.ToLower(line[:min(len(line), 32)]), []byte("content-length")) {
			p.line = append([]byte(nil), line...)
		}
		if len(bytes.TrimRight(line, "\r\n")) > 0 {
			continue
		}
		if start, err := p.in.Peek(len(gzipStart)); err == nil && string(start) == gzipStart {
			p.body = &gunzip{in: p.in}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
