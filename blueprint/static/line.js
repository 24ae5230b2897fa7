// BokehJS's connection, so that it can be dropped and opened again in any state.

// adopt(session): the document came for the first time; pulled(message): whenever it came;
// closed(connection, event, reject): its socket is closed.
export function make_line(bk, url, ticket, args, {adopt, pulled, closed}) {
  const {ClientConnection} = bk.require("client/connection")
  const connection = new ClientConnection(url, ticket, args)
  let held = null
  Object.defineProperty(connection, "session", {
    get: () => held,
    set: (session) => {
      held = session
      if (session != null) {
        adopt(session)
      }
    },
  })
  connection._on_close = (event, reject) => closed(connection, event, reject)
  const ask = connection.send_with_reply.bind(connection)
  connection.send_with_reply = async (message) => {
    const reply = await ask(message)
    if (reply.msgtype() === "PULL-DOC-REPLY") {
      pulled(reply)
    }
    return reply
  }
  return connection
}

// Close a socket that is of no use, and hear no more of it.
export function drop_socket(connection) {
  const {socket} = connection
  connection.socket = null
  socket.onclose = socket.onmessage = socket.onerror = socket.onopen = null
  socket.close()
  reset(connection)
}

// A new socket starts with a whole message, whatever the last one was cut in.
export function reset(connection) {
  for (const reply of connection._pending_replies.values()) {
    reply.reject(new Error("Disconnected"))
  }
  connection._pending_replies.clear()
  connection._receiver = new connection._receiver.constructor()
}

// The change that a message of the server stands for; newest values come after one, and have a
// fraction.
export function number_of(message) {
  const {msgid} = message.header
  return /^\d{1,12}(\.\d{3})?$/.test(msgid) ? Number(msgid) : null
}

// The promise, or an error when it takes longer than so many milliseconds.
export function within(time, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the server did not answer")), time)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
