module mageprov

go 1.26
