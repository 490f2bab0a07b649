"""A second, independent implementation of leadpipe's tables, to check the program against."""
