import sys

from lossref.pagecheck.mutate.command import main

sys.exit(main())
