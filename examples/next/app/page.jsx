// Says what to try.
// Never limited itself.
export default function Page() {
  return (
    <pre>{`curl -i -X POST http://localhost:3000/api/chat            four times
curl -i 'http://localhost:3000/api/search?q=spillway'     twice
curl -i http://localhost:3000/api/reports                 three times
curl http://localhost:3000/news                           twice: made once
curl -X POST http://localhost:3000/api/news               and once more
http://localhost:3000/guestbook                           sign three times`}</pre>
  )
}
