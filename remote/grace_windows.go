package remote

import "time"

// grace is how long an answer on its way is awaited after an interrupt. Windows
// ends a program five seconds after its console was closed.
// Source: Windows console documentation, HandlerRoutine.
const grace = 3 * time.Second
