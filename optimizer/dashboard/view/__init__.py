"""The one value that the page is made from."""
