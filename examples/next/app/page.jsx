// Says what to try.
// Never limited itself.
export default function Page() {
  return (
    <pre>{`curl -i -X POST http://localhost:3000/api/chat            four times
curl -i 'http://localhost:3000/api/search?q=spillway'     twice`}</pre>
  )
}
