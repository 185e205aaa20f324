// The frame of the one page.
// Never more than Next asks for.
export const metadata = { title: 'Spillway in Next' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
