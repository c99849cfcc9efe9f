// Package access identifies users and decides what they may do: accounts with their
// secrets, the limits on guessing them, and one pure function, [Space.Allowed], that
// broker and dashboard call for every topic. It owns the accounts file and the results of
// earlier tries. It never sees a picture, never keeps a password in the clear, and never
// grants access because of an error.
//
// # Roles
//
// A camera publishes what topics.md lets cameras publish, below its own id, and reads
// its commands; a bridge does so for several. A viewer sees cameras and gives them
// commands, an operator changes their settings too, Home Assistant moreover reads the
// discovery topics. Each of the three is for all cameras or for listed ones. An admin
// may do everything. What is not named is denied.
//
// # Secrets
//
// Devices have tokens: 256 random bits, kept as SHA-256, checked in a microsecond and
// therefore never limited. People have passwords, kept as Argon2id with 19 MiB and two
// passes (RFC 9106; OWASP's minimum). One is checked at a time, or two on larger
// machines. A right password is remembered by its HMAC, so that reconnecting costs
// nothing. A wrong one is remembered too, so that a device with an old password does not
// use up the tries of others at its address.
package access
