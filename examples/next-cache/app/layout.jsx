// The frame of every page.
// Never more than Next asks for.
export const metadata = { title: "Spillway as Next's cache" }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
